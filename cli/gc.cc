#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

/// What the API calls a reason, for a person.
std::string reason_text(const std::string& reason) {
  static constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
      {"replaced", "the active one took its place"}, {"in_use", "in use"},        {"newest", "one of the newest"},
      {"not_newest", "not one of the newest"},       {"too_old", "older than keep_age"}, {"over_bytes", "over keep_bytes"},
  };
  for (const auto& [word, text] : kTexts)
    if (word == reason) return std::string(text);
  return reason;  // such as "active", and what a newer berthd may say
}

std::string reasons_of(const json::value& slot) {
  std::vector<std::string> texts;
  for (const auto& reason : list_of(slot, "why"))
    if (reason.is_string()) texts.push_back(reason_text(std::string(reason.get_string())));
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// What went, and how much that was.
class Sum {
 public:
  explicit Sum(const char* heading) : table_({heading, "SIZE", "WHY"}) {}
  void add(const json::value& holder, std::string what, std::string why) {
    const auto size = static_cast<std::uint64_t>(number_of(holder, "bytes"));
    bytes_ += size;
    table_.row({std::move(what), bytes_text(size), std::move(why)});
  }
  const Table& table() const { return table_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  Table table_;
  std::uint64_t bytes_ = 0;
};

std::string release_of(const json::value& one) { return text_of(one, "app") + "@" + text_of(one, "release"); }

Sum removed_in(const json::value& answer, bool dry_run) {
  Sum sum(dry_run ? "WOULD GO" : "REMOVED");
  for (const auto& one : list_of(answer, "removed")) sum.add(one, release_of(one), reasons_of(one));
  for (const auto& one : list_of(answer, "data"))
    sum.add(one, fmt::format("{}/{}, data of {}", text_of(one, "app"), text_of(one, "folder"), text_of(one, "release")), "nothing needs them");
  for (const auto& one : list_of(answer, "imports")) sum.add(one, release_of(one) + ", loaded from a file", "in no slot");
  const auto* partial = member(answer, "partial");
  if (const auto blobs = partial == nullptr ? 0 : number_of(*partial, "blobs"); blobs > 0)
    sum.add(*partial, fmt::format("{} download{} that broke off", blobs, blobs == 1 ? "" : "s"), "nobody fetches");
  return sum;
}

struct GcOptions {
  std::string name, reason, timeout;
  bool dry_run = false;
};

Result<Exit> gc(const Console& console, const GcOptions& options) {
  const bool dry_run = options.dry_run;
  json::object body;
  if (!options.name.empty()) {
    BERTH_TRY(const auto app, app_argument(options.name, "gc"));
    body["app"] = app;
  }
  if (dry_run) body["dry_run"] = true;
  put_if(body, "reason", options.reason);
  BERTH_TRY(const auto told, long_call(console, {.method = "POST", .target = "/v1/gc", .body = std::move(body)}, options.timeout));
  if (!told) return Exit::still_running;
  const json::value& answer = *told;
  // A berthd that does not know of dry runs refuses one; whatever answers without saying that it was one has removed something.
  if (const auto* said = member(answer, "dry_run"); dry_run && (said == nullptr || !said->is_bool() || !said->get_bool()))
    return fail(Errc::protocol, "berth gc: berthd did not say that nothing was removed");
  if (console.json) {
    console.document(answer);
    return Exit::ok;
  }
  const Sum sum = removed_in(answer, dry_run);
  if (!console.quiet) console.print(sum.table().render(console.colour, console.room()));
  if (dry_run && !console.quiet && !list_of(answer, "kept").empty()) {
    Sum kept("STAYS");
    for (const auto& one : list_of(answer, "kept")) kept.add(one, release_of(one), reasons_of(one));
    if (!sum.table().empty()) console.print("\n");
    console.print(kept.table().render(console.colour, console.room()));
  }
  const std::string size = bytes_text(sum.bytes());
  if (sum.table().empty()) console.note("Nothing to remove.");
  else console.note(dry_run ? fmt::format("{} would be freed, or less where files are shared with releases that stay. Nothing was removed.", size) : fmt::format("{} freed.", size));
  return Exit::ok;
}

}  // namespace

Verb gc_verb() {
  auto o = std::make_shared<GcOptions>();
  return {
      .name = "gc",
      .summary = "Remove releases and set-aside data from the node that nothing needs",
      .text = "What is active, previous, pinned or in use stays, and so do the newest few, within an age and a number of bytes where the node has those ([store] "
              "keep_releases, keep_age, keep_bytes). Data that a revert set aside go, and so do releases that were loaded from a file and are in no slot ('berth import' "
              "loads them again). Without APP, what came of downloads that broke off goes, too.",
      .examples = {"berth gc --dry-run # what would go, and why the rest stays", "berth gc", "berth gc web --reason 'the disk is full'"},
      .exits = with_daemon_exits({Exit::not_found, Exit::still_running}),
      .arguments = {{"APP", "of this app only", &o->name, Completes::app, false}},
      .options = {{"--dry-run", "", "only show what would be removed, and why each release that stays does", &o->dry_run}, reason_option(o->reason), timeout_option(o->timeout)},
      .action = [o](Console& console) { return gc(console, *o); },
  };
}

}  // namespace berth::cli
