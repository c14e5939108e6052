#include "core/trust/signer.h"

namespace berth::trust {
namespace {

class KeySigner : public Signer {
 public:
  explicit KeySigner(crypto::SigningKey key) : key_(std::move(key)) {}

  const crypto::PublicKey& public_key() const override { return key_.public_key(); }
  Result<std::string> sign(std::string_view bytes) const override { return key_.sign(bytes); }

 private:
  crypto::SigningKey key_;
};

}  // namespace

std::shared_ptr<const Signer> signer_of(crypto::SigningKey key) { return std::make_shared<KeySigner>(std::move(key)); }

}  // namespace berth::trust
