#pragma once

#include <optional>
#include <string>

#include "cli/api_client.h"
#include "cli/command.h"
#include "core/ids.h"
#include "core/logs/record_time.h"

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

/// What --since and --until say: from the one on, and before the other.
struct Moments {
  std::optional<logs::Time> since{}, until{};
};

/// Fails with `Errc::usage` where a moment is none, or nothing lies between them. `called` is the verb, "berth events", and `what` one of those that it shows.
Result<Moments> moments_argument(const std::string& since, const std::string& until, const std::string& called, const std::string& what);

/// "/v1/apps/web" and what follows.
std::string app_target(const std::string& app, const std::string& rest = {});

/// What berthd tells of an app; `null` where it tells nothing, which whoever asks for a change of it hears then.
json::value told_of(const ApiClient& api, const std::string& app);

/// How long a call is waited for that stops, drains, reads or removes much, unless `--timeout` says.
inline constexpr milliseconds kLongCall{15 * 60'000};

/// The `--timeout` of verbs that make a long call.
Option timeout_option(std::string& into);

/// A call whose answer may take long: as long as `timeout`, the value of `--timeout`, says. Nothing where berthd still works on it then, which is told; the verb
/// then ends with `Exit::still_running`.
Result<std::optional<json::value>> long_call(const Console& console, ApiCall call, const std::string& timeout);

/// Whether somebody is there to be asked, at a terminal.
bool can_ask();

/// Asks at the terminal, and tells whether `word` was typed. The question names the node where that is one elsewhere.
bool asks_for(const Console& console, const std::string& question, const std::string& word);

/// The `--reason` of verbs that change something.
Option reason_option(std::string& into);

/// `text` as JSON members, left out where empty.
void put_if(json::object& body, std::string_view name, const std::string& text);

}  // namespace berth::cli
