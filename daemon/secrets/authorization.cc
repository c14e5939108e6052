#include "daemon/secrets/authorization.h"

#include "core/io/proxy.h"

namespace berth::secrets {

std::function<Result<crypto::Secret>()> authorization_of(std::string token, std::string user, std::string password, Sources sources) {
  if (!token.empty())
    return [reference = std::move(token), sources = std::move(sources)]() -> Result<crypto::Secret> {
      auto value = resolve(reference, sources);
      if (!value) return pass(std::move(value.error()), "token");
      return crypto::Secret("Bearer " + std::string(value->view()));
    };
  if (user.empty()) return {};
  return [user = std::move(user), reference = std::move(password), sources = std::move(sources)]() -> Result<crypto::Secret> {
    auto value = resolve(reference, sources);
    if (!value) return pass(std::move(value.error()), "password");
    return crypto::Secret(io::basic_authorization(user, value->view()));
  };
}

}  // namespace berth::secrets
