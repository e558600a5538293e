const HEAD4 = 16u;
