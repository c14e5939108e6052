#pragma once

#include <string>
#include <vector>

#include "cli/enrol/names.h"
#include "core/result.h"

namespace berth::cli::enrol {

/// A certificate request (PKCS#10, PEM) by the key in that file, for these names.
Result<std::string> make_request(const std::string& key_file, const std::vector<Name>& names);

/// What somebody asks a certificate for.
struct Request {
  std::string pem;
  std::vector<Name> names;  ///< that it asks for
};

/// Reads one. Fails with `Errc::usage` for what is none, what its own key did not sign, and a key that nodes do not believe: they take ECDSA with P-256 or
/// P-384, and RSA from 2,048 bits.
Result<Request> read_request(const std::string& pem, const std::string& file);

}  // namespace berth::cli::enrol
