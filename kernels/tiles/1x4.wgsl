const TILE_ROWS = 1u;
const TILE_PANELS = 4u;
