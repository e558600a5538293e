// Fragment: four and eight octets as pairs, for kernels that take a pair at a time: a loop over more,
// drivers would not unroll.
fn add_scores(panel: u32, octet: u32, place: u32) {
  add_pair_scores(panel, octet, place);
  add_pair_scores(panel, octet + 2u, place);
}

fn add_values_of_4(panel: u32, octet: u32, place: u32) {
  add_pair_values(panel, octet, place);
  add_pair_values(panel, octet + 2u, place);
}

fn add_values_of_8(panel: u32, octet: u32, place: u32) {
  add_values_of_4(panel, octet, place);
  add_values_of_4(panel, octet + 4u, place);
}
