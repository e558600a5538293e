const HEAD4 = 32u;
