// Fragment: two octets of 4 rows, which the 8 lanes of a subgroup load together: lane i takes octet
// i / 4 of row i % 4, and all get all by broadcast.

struct Share {
  octet: Octet,
}

fn take(source: u32, row: u32, octet: u32, lane: u32) -> Share {
  return Share(load(source, row + lane % 4u, octet + lane / 4u));
}

fn row0_first(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 0u), subgroupBroadcast(share.octet.high, 0u));
}

fn row1_first(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 1u), subgroupBroadcast(share.octet.high, 1u));
}

fn row2_first(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 2u), subgroupBroadcast(share.octet.high, 2u));
}

fn row3_first(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 3u), subgroupBroadcast(share.octet.high, 3u));
}

fn row0_second(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 4u), subgroupBroadcast(share.octet.high, 4u));
}

fn row1_second(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 5u), subgroupBroadcast(share.octet.high, 5u));
}

fn row2_second(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 6u), subgroupBroadcast(share.octet.high, 6u));
}

fn row3_second(share: Share) -> Octet {
  return Octet(subgroupBroadcast(share.octet.low, 7u), subgroupBroadcast(share.octet.high, 7u));
}
