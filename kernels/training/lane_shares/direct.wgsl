// Fragment: two octets of 4 rows, which every lane loads by itself.

struct Share {
  source: u32,
  row: u32,
  octet: u32,
}

fn take(source: u32, row: u32, octet: u32, lane: u32) -> Share {
  return Share(source, row, octet);
}

fn row0_first(share: Share) -> Octet {
  return load(share.source, share.row, share.octet);
}

fn row1_first(share: Share) -> Octet {
  return load(share.source, share.row + 1u, share.octet);
}

fn row2_first(share: Share) -> Octet {
  return load(share.source, share.row + 2u, share.octet);
}

fn row3_first(share: Share) -> Octet {
  return load(share.source, share.row + 3u, share.octet);
}

fn row0_second(share: Share) -> Octet {
  return load(share.source, share.row, share.octet + 1u);
}

fn row1_second(share: Share) -> Octet {
  return load(share.source, share.row + 1u, share.octet + 1u);
}

fn row2_second(share: Share) -> Octet {
  return load(share.source, share.row + 2u, share.octet + 1u);
}

fn row3_second(share: Share) -> Octet {
  return load(share.source, share.row + 3u, share.octet + 1u);
}
