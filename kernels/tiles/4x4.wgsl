const TILE_ROWS = 4u;
const TILE_PANELS = 4u;
