#include "core/io/ip_address.h"
#include "core/io/wire.h"

namespace berth::io {

std::string name_of(const Endpoint& endpoint) {
  return endpoint.unix_path.empty() ? with_port(endpoint.address, endpoint.port) : endpoint.unix_path;
}

}  // namespace berth::io
