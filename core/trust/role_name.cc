#include "core/trust/role_name.h"

#include <fmt/core.h>

namespace berth::trust {
namespace {

bool is_unreserved(char c) {
  return ('A' <= c && c <= 'Z') || ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '_' || c == '.' || c == '-' || c == '~';
}

}  // namespace

std::string encode_role(std::string_view role) {
  std::string encoded;
  for (const char c : role) encoded += is_unreserved(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return encoded;
}

}  // namespace berth::trust
