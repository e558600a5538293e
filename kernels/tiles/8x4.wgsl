const TILE_ROWS = 8u;
const TILE_PANELS = 4u;
