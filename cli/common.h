#pragma once

#include <optional>
#include <string>

#include "cli/api_client.h"
#include "cli/command.h"
#include "core/ids.h"

namespace berth::cli {

/// Every verb that asks berthd can end so.
inline const std::vector<Exit> kDaemonExits{Exit::unreachable, Exit::permission};

/// `first` and what every verb that asks berthd can end with.
std::vector<Exit> with_daemon_exits(std::vector<Exit> first);

/// `web`; a release or environment in it is refused, since `verb` acts on the app.
Result<std::string> app_argument(const std::string& text, const std::string& verb);

/// `web@v42`, its release included.
Result<ReleaseRef> release_argument(const std::string& text, const std::string& verb);

/// "30s" → a duration; empty where the text is.
Result<std::optional<milliseconds>> duration_argument(const std::string& text, const std::string& option);

/// "/v1/apps/web" and what follows.
std::string app_target(const std::string& app, const std::string& rest = {});

/// What berthd tells of an app; `null` where it tells nothing, which whoever asks for a change of it hears then.
json::value told_of(const ApiClient& api, const std::string& app);

/// What stopping and draining may take at most; berthd has shorter limits of its own.
inline constexpr milliseconds kLongCall{15 * 60'000};

/// The `--reason` of verbs that change something.
Option reason_option(std::string& into);

/// `text` as JSON members, left out where empty.
void put_if(json::object& body, std::string_view name, const std::string& text);

}  // namespace berth::cli
