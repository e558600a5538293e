// Heads of 256 components, scores by four octets, values by eight. Written out as for the smaller ones,
// drivers would take minutes to compile it.
const HEAD8 = 32u;

fn add_all_scores(panel: u32, place: u32) {
  for (var octet = 0u; octet < HEAD8; octet += 4u) {
    add_scores(panel, octet, place);
  }
}

fn add_all_values(panel: u32, place: u32) {
  for (var octet = 0u; octet < HEAD8; octet += 8u) {
    add_values_of_8(panel, octet, place);
  }
}
