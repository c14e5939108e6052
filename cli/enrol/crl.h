#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/enrol/issued_list.h"
#include "core/io/certificates.h"
#include "core/result.h"

namespace berth::cli::enrol {

/// What a list of revoked certificates says.
struct CrlContent {
  std::uint64_t number = 0;             ///< each list has a greater one than those before it
  Clock::time_point at, next;           ///< when it was made, and until when it counts
  std::vector<Issued> revoked{};
};

/// A certificate revocation list (X.509 v2 CRL, RFC 5280, 5; PEM), signed by the key of an authority.
Result<std::string> make_crl(const CrlContent& content, const io::Certificates& authority, io::PrivateKey& key);

}  // namespace berth::cli::enrol
