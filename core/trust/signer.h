#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/crypto/keys.h"
#include "core/result.h"

namespace berth::trust {

/// Somebody who signs metadata: a key file, or a program that asks a device.
class Signer {
 public:
  virtual ~Signer() = default;
  virtual const crypto::PublicKey& public_key() const = 0;
  /// The signature over `bytes`, raw.
  virtual Result<std::string> sign(std::string_view bytes) const = 0;
};

/// Signs with a key in memory.
std::shared_ptr<const Signer> signer_of(crypto::SigningKey key);

}  // namespace berth::trust
