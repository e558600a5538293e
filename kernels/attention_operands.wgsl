// Fragment: what all attention kernels read, and the chunks of keys that they go over. A loads fragment has q
// and o, fn load_q(octet) and fn store_o(octet, value).

struct Params {
  // See counted.wgsl.
  counted: u32,
  // Rows of a slice, where there are several.
  bound: u32,
}

override HEADS: u32;
// Query heads that share a key/value head: neighbours.
override GROUP: u32;
override PAGE: u32;
override TABLE: u32;
override SCALE: f32;
// Keys of one rescaling, at fixed absolute positions.
const KEYS = 4u;
const LOWEST = -3.0e38;
const NONE = 0xffffffffu;

@group(0) @binding(1) var<storage, read> rows: array<Row>;
@group(0) @binding(2) var<storage, read> counts: array<u32>;
@group(0) @binding(3) var<storage, read> pages: array<u32>;
@group(0) @binding(6) var<storage, read> params: Params;

// Chunks of KEYS neighbouring positions in which range.x … range.y - 1 lie.
fn chunks_of(range: vec2<u32>) -> u32 {
  return (range.y + KEYS - 1u) / KEYS - range.x / KEYS;
}

// What a row asks of the keys: its range of its own sequence, and that of its past, which comes first.
struct Asked {
  row: u32,
  own: vec2<u32>,
  past: vec2<u32>,
  past_chunks: u32,
  chunks: u32,
}

fn asked_by(row: u32) -> Asked {
  let own = vec2(rows[row].first, rows[row].end);
  let past = vec2(0u, rows[row].past_end);
  let past_chunks = chunks_of(past);
  return Asked(row, own, past, past_chunks, past_chunks + chunks_of(own));
}

// A chunk of KEYS that a row asks for.
struct Chunk {
  // Position of its first key, and the panel that this lies in.
  position: u32,
  panel: u32,
  // The range in which the row sees keys there.
  seen: vec2<u32>,
}

fn chunk_at(asked: Asked, c: u32, head: u32) -> Chunk {
  let is_past = c < asked.past_chunks;
  let position = select(asked.own.x / KEYS + c - asked.past_chunks, c, is_past) * KEYS;
  let slot = select(rows[asked.row].slot, rows[asked.row].past_slot, is_past);
  return Chunk(position, panel_of(slot, position, head), select(asked.own, asked.past, is_past));
}

// Where the cache has a position of a sequence for a query head: the panel of 8 that it lies in.
fn panel_of(slot: u32, position: u32, head: u32) -> u32 {
  let table = slot * TABLE;
  let page = pages[table + 1u + (position / PAGE) % pages[table]];
  let shared_head = page * (HEADS / GROUP) + head / GROUP;
  return shared_head * (PAGE / 8u) + position % PAGE / 8u;
}
