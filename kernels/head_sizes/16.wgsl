const HEAD4 = 4u;
