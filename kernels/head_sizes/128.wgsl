// Heads of 128 components; scores by four octets, values by eight or four, written out: a loop over
// them would index the registers of a row by a variable.
const HEAD8 = 16u;

fn add_all_scores(panel: u32, place: u32) {
  add_scores(panel, 0u, place);
  add_scores(panel, 4u, place);
  add_scores(panel, 8u, place);
  add_scores(panel, 12u, place);
}

fn add_all_values(panel: u32, place: u32) {
  add_values_of_8(panel, 0u, place);
  add_values_of_8(panel, 8u, place);
}
