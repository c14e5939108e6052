#include "core/trust/root_file.h"

#include <string>
#include <string_view>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/trusted_set.h"

namespace berth::trust {

Result<void> check_root_file(const std::filesystem::path& file) {
  constexpr std::string_view kName = "root.json";
  BERTH_TRY(const std::string bytes, files::read(file, kMostRoot));
  const auto root = TrustedSet::from_root(bytes);
  if (root) return {};
  std::string_view why = root.error().message;
  if (why.starts_with(kName)) why.remove_prefix(why.find_first_not_of(": ", kName.size()));
  return fail(Errc::trust, fmt::format("{} is no root of trust ({}): it should be the repository's own metadata/root.json, by a way that you trust", file.string(), why));
}

}  // namespace berth::trust
