#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/trust/signer.h"

namespace berth::trust {

/// A program that signs, such as one that asks a KMS or an HSM. `/bin/sh -c COMMAND` gets the bytes on its stdin and prints the signature in hex or base64;
/// its stderr is the caller's. Signatures are those of `crypto::SigningKey::sign`.
struct SigningCommand {
  std::string command;
  crypto::PublicKey key;                  ///< what its signatures are verified with before they are used
  std::chrono::milliseconds deadline{60'000};  ///< then the program and what it started are killed
};

/// Signing fails with `Errc::timeout` after the deadline, with `Errc::io` where the program fails, and with `Errc::trust` where what it printed is no
/// signature of that key.
std::shared_ptr<const Signer> signer_of(SigningCommand command);

}  // namespace berth::trust
