#include <filesystem>
#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/import_file.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace fs = std::filesystem;

bool is_release_file(const std::string& text) {
  std::error_code ignored;
  return text.find('/') == std::string::npos ? text.ends_with(".berth") : fs::is_regular_file(text, ignored) || text.ends_with(".berth");
}

Result<std::optional<json::value>> import_file(const Console& console, const ImportRequest& request) {
  if (console.node)
    return fail(Errc::usage, fmt::format("{}: berthd loads release files of its own machine alone: copy it to {}, and run 'berth import' there", request.file, console.node->name));
  std::error_code ignored;
  if (!fs::exists(request.file, ignored)) return fail(Errc::not_found, fmt::format("{}: there is no such file", request.file));
  // berthd reads it, from its own folder.
  json::object body{{"path", fs::absolute(request.file).lexically_normal().string()}};
  if (request.allow_expired) body["allow_expired"] = true;
  put_if(body, "reason", request.reason);
  auto posted = long_call(console, {.method = "POST", .target = "/v1/imports", .body = std::move(body)}, request.timeout);
  if (!posted && posted.error().message.find("(a rollback)") != std::string::npos)
    posted.error().message += "; export the release again, since a new file may hold an old release: berth export";
  BERTH_TRY(auto answer, std::move(posted));
  if (!answer) return answer;
  if (const std::string expired = text_of(*answer, "expired"); !expired.empty() && !console.quiet) console.warn("taken although it is old: " + expired);
  return answer;
}

Verb import_verb() {
  auto o = std::make_shared<ImportRequest>();
  return {
      .name = "import",
      .summary = "Load a release file onto this node",
      .text = "berthd verifies all of it with the root that it was given: signatures, versions, the manifest, every layer. Nothing is kept of a file that is "
              "refused. What was loaded can be deployed without a network: berth deploy APP@RELEASE. --allow-expired takes a file whose timestamp or snapshot "
              "metadata has expired, which is logged and shown; nothing else is relaxed.",
      .examples = {"berth import web-v42.berth", "berth import web-v42.berth --allow-expired --reason 'the plant has no network'"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::trust, Exit::still_running}),
      .arguments = {{"FILE", "made by berth export", &o->file, Completes::file}},
      .options = {allow_expired_option(o->allow_expired), reason_option(o->reason), timeout_option(o->timeout)},
      .action = [o](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto loaded, import_file(console, *o));
        if (!loaded) return Exit::still_running;
        const json::value& answer = *loaded;
        if (console.json) {
          console.document(answer);
          return Exit::ok;
        }
        const std::string name = text_of(answer, "app") + "@" + text_of(answer, "release");
        const std::string size = bytes_text(static_cast<std::uint64_t>(number_of(answer, "bytes")));
        console.line(truth_of(answer, "already") ? fmt::format("{}: verified, {}; it was on this node already", name, size) : fmt::format("{}: verified and loaded, {}", name, size));
        console.note(fmt::format("Next: berth deploy {}", name));
        return Exit::ok;
      },
  };
}

Option allow_expired_option(bool& into) {
  return {.names = "--allow-expired", .value = "", .help = "take a file whose timestamp or snapshot metadata expired; logged and shown", .into = &into};
}

}  // namespace berth::cli
