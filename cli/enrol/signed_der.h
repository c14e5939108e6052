#pragma once

#include <string>
#include <string_view>

#include "core/io/certificates.h"
#include "core/result.h"

namespace berth::cli::enrol {

/// The AlgorithmIdentifier of what the key signs with SHA-256, in DER: without parameters for ECDSA (RFC 5758, 3.2), with NULL for RSA (RFC 4055, 5).
Result<std::string> algorithm_of(io::PrivateKey& key);

/// What X.509 makes of a certificate, a request and a list: a SEQUENCE of `content`, which is one already, the algorithm, and the signature.
Result<std::string> sign_der(std::string_view content, io::PrivateKey& key);

/// A certificate, or a request, that mbedTLS 2.28 wrote, signed anew: that writes the algorithm of ECDSA with a NULL behind it, which must not be there and
/// which some verifiers refuse. `der` as `sign_der` gives it.
Result<std::string> sign_certificate_anew(std::string_view der, io::PrivateKey& key);
Result<std::string> sign_request_anew(std::string_view der, io::PrivateKey& key);

/// `label`: "CERTIFICATE", for example.
Result<std::string> to_pem(const std::string& label, std::string_view der);

}  // namespace berth::cli::enrol
