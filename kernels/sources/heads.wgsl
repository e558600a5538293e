// Only the rows that the head runs for.
@group(2) @binding(0) var<storage, read> heads: array<Head>;

fn source_row(row: u32) -> u32 {
  return heads[row].row;
}
