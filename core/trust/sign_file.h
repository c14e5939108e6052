#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/trust/signer.h"
#include "core/trust/time.h"
#include "core/trust/verify.h"

namespace berth::trust {

/// A metadata file with more signatures than before.
struct SignedAgain {
  std::string bytes;
  std::string type;  ///< "root", "targets", …
  std::int64_t version = 0;
  WallTime expires;
  std::size_t signatures = 0;
  std::vector<std::string> strange;  ///< ids of keys that signed it now, and that the keys which may do so do not have
};

/// Adds a signature of each signer to a metadata file, whatever it is; one that the same key made before is replaced. `Errc::trust` where the bytes are
/// no metadata file. Whose keys may sign: of a root, those that it lists itself; of
/// others, `role`, where that is known.
Result<SignedAgain> sign_again(std::string_view bytes, std::string_view where, const std::vector<std::shared_ptr<const Signer>>& signers,
                               const RoleKeys* role = nullptr);

}  // namespace berth::trust
