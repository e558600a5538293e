// Fragment: octets in storage, loaded 32 bytes at a time. With octet.wgsl and wide_loads.wgsl.
alias StoredOctet = vec4<u64>;

fn open_octet(stored: StoredOctet) -> Octet {
  return octet_of(stored);
}
