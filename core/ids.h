#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace berth {

/// `[a-z][a-z0-9-]{0,30}`: apps, environments and processes.
bool is_name(std::string_view text);

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`: release ids.
bool is_release_id(std::string_view text);

/// `[A-Za-z_][A-Za-z0-9_]*`: environment variables.
bool is_variable_name(std::string_view text);

/// A release on a node: `web@v42`; or in full with its environment: `web/production@v42`.
struct ReleaseRef {
  std::string app;
  std::string environment;  ///< empty where the text named none
  std::string release;      ///< empty where the text named none: `web`

  bool operator==(const ReleaseRef&) const = default;
};

/// Reads `web`, `web@v42` or `web/production@v42`. Fails with `Errc::usage`, saying which part is wrong and why.
Result<ReleaseRef> parse_release_ref(std::string_view text);
std::string to_string(const ReleaseRef& ref);

/// One running copy of a process: `web/worker.2`, or `web/worker.2@v42` where two releases run at once.
struct InstanceId {
  std::string app;
  std::string process;
  int number = 1;       ///< from 1
  std::string release;  ///< empty where it does not matter

  auto operator<=>(const InstanceId&) const = default;
};

/// What a person names: an app, one of its processes, or one instance: `web`, `web/worker`, `web/worker.2`, any with `@release`.
struct InstanceSelector {
  std::string app;
  std::optional<std::string> process;
  std::optional<int> number;
  std::optional<std::string> release;

  bool matches(const InstanceId& id) const;
};

Result<InstanceSelector> parse_selector(std::string_view text);

/// `web/worker.2@v42`, without the release where it is empty.
std::string to_string(const InstanceId& id);

}  // namespace berth
