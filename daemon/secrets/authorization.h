#pragma once

#include <functional>
#include <string>

#include "core/crypto/secret.h"
#include "core/result.h"
#include "daemon/secrets/reference.h"

namespace berth::secrets {

/// Gives the value of an Authorization header: of a bearer token, or of a user and a password; `token` and `password` are references, which are looked up
/// anew for each call. Unset where there is neither.
std::function<Result<crypto::Secret>()> authorization_of(std::string token, std::string user, std::string password, Sources sources);

}  // namespace berth::secrets
