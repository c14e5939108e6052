#pragma once

#include <chrono>

#include "cli/enrol/authority.h"
#include "core/io/certificates.h"

namespace berth::cli::enrol {

inline constexpr std::chrono::minutes kSkew{10};  ///< by which clocks of nodes may be behind

/// The key and the certificate of an authority.
struct Authority::Signer {
  io::PrivateKey key;
  io::Certificates own;
};

}  // namespace berth::cli::enrol
