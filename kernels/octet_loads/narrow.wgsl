// Fragment: octets in storage as they are. With octet.wgsl.
alias StoredOctet = Octet;

fn open_octet(stored: StoredOctet) -> Octet {
  return stored;
}
