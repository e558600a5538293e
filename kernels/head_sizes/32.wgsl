const HEAD4 = 8u;
