const HEAD4 = 64u;
