const HEAD4 = 24u;
