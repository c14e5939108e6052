#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::cli::doctor {

/// `text` without what nobody else is to read: each of `secrets` where it stands; of addresses all but scheme, host and port, see `addresses.h`, also where a
/// value of `url` or `proxy` has no scheme; values of keys such as `token` and `password`, unless they are references to secrets; what follows `Bearer` and
/// `Basic`; private keys in PEM. A `command:` reference loses its arguments. In the place of each is "(redacted)".
std::string scrub(std::string_view text, const std::vector<std::string>& secrets);

}  // namespace berth::cli::doctor
