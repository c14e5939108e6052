#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace berth::cli::enrol {

/// A subject alternative name of a certificate (RFC 5280, 4.2.1.6).
struct Name {
  enum class Kind { dns, address, uri, email };
  Kind kind = Kind::dns;
  std::string text;  ///< "edge-1.example.org", "10.0.0.7"

  bool operator==(const Name&) const = default;
};

/// "edge-1.example.org", "*.edge.example.org", "10.0.0.7", "::1", "spiffe://example.org/ci", "alice@example.org". Fails with `Errc::usage`.
Result<Name> parse_name(const std::string& text);
Result<std::vector<Name>> parse_names(const std::vector<std::string>& texts);

/// GeneralNames in DER, and back: names of other kinds are left out.
std::string to_der(const std::vector<Name>& names);
std::vector<Name> from_der(std::string_view general_names);

/// "edge-1.example.org, 10.0.0.7".
std::string to_string(const std::vector<Name>& names);

/// A common name, which counts for nothing and which people look at: the first name, as far as it fits there.
std::string common_name(const std::vector<Name>& names);

}  // namespace berth::cli::enrol
