// Heads of 32 components; scores by four octets, values by eight or four, written out: a loop over
// them would index the registers of a row by a variable.
const HEAD8 = 4u;

fn add_all_scores(panel: u32, place: u32) {
  add_scores(panel, 0u, place);
}

fn add_all_values(panel: u32, place: u32) {
  add_values_of_4(panel, 0u, place);
}
