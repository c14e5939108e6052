#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"

namespace berth::cli {
namespace {

struct VerifyOptions {
  std::string name, timeout;
  bool all = false;
};

void print_slot(const Console& console, const json::value& slot) {
  const std::string name = text_of(slot, "app") + "@" + text_of(slot, "release");
  const auto drifted = number_of(slot, "drifted");
  if (drifted == 0) {
    return console.note(fmt::format("{}: as it was sealed ({}, {})", name, count_text(static_cast<std::uint64_t>(number_of(slot, "paths")), "path"),
                                    bytes_text(static_cast<std::uint64_t>(number_of(slot, "bytes")))));
  }
  console.line(fmt::format("{}: {} path{} not as sealed", name, drifted, drifted == 1 ? " is" : "s are"));
  std::int64_t shown = 0;
  for (const auto& one : list_of(slot, "drift")) {
    console.line(fmt::format("  {}: {}", printable(text_of(one, "path")), printable(text_of(one, "what"))));
    ++shown;
  }
  if (drifted > shown) console.line(fmt::format("  … and {} more", drifted - shown));
}

/// That there is more on the node than was compared; empty where there is not, or a release was named.
std::string others_text(const VerifyOptions& options, std::int64_t others) {
  if (others == 0 || options.name.contains('@')) return {};
  return fmt::format("{} on the node: 'berth verify{}{} --all' compares {}, too.", others == 1 ? "1 more release is" : fmt::format("{} more releases are", others),
                     options.name.empty() ? "" : " ", options.name, others == 1 ? "it" : "them");
}

Result<Exit> verify(const Console& console, const VerifyOptions& options) {
  json::object body;
  if (!options.name.empty()) {
    BERTH_TRY(const auto ref, parse_release_ref(options.name));
    if (!ref.environment.empty()) return fail(Errc::usage, fmt::format("berth verify: a node has one environment; use '{}@{}'", ref.app, ref.release));
    if (!ref.release.empty() && options.all) return fail(Errc::usage, fmt::format("berth verify: {} and --all say two things", options.name));
    body["app"] = ref.app;
    put_if(body, "release", ref.release);
  }
  if (options.all) body["all"] = true;
  BERTH_TRY(const auto told, long_call(console, {.method = "POST", .target = "/v1/verify", .body = std::move(body)}, options.timeout));
  if (!told) return Exit::still_running;
  const json::value& answer = *told;
  bool drifted = false;
  std::size_t slots = 0;
  for (const auto& slot : list_of(answer, "slots")) {
    ++slots;
    drifted |= number_of(slot, "drifted") > 0;
    if (!console.json) print_slot(console, slot);
  }
  if (console.json) console.document(answer);
  if (const std::string more = others_text(options, number_of(answer, "others")); !more.empty() && !console.json) console.note(more);
  if (slots == 0) console.note("There is no release to verify; 'berth releases APP' lists what is on the node.");
  if (drifted)
    console.note("Nothing was changed: what runs goes on. An active release is repaired from the repository by 'berth deploy APP@RELEASE --force', any other when it is "
                 "deployed or reverted to.");
  return drifted ? Exit::trust : Exit::ok;
}

}  // namespace

Verb verify_verb() {
  auto o = std::make_shared<VerifyOptions>();
  return {
      .name = "verify",
      .summary = "Compare releases on the node with what was signed for",
      .text = "berthd reads every file of the release again and compares it with the signed index: content, type, mode, owner, links, and that nothing is "
              "missing or was added. Each path that differs is named. Without an argument these are the active releases. berthd does the same by itself, "
              "in the background ([store] verify_every).",
      .examples = {"berth verify", "berth verify web@v41", "berth verify --all # every release of every app on this node"},
      .exits = with_daemon_exits({Exit::not_found, Exit::trust, Exit::still_running}),
      .arguments = {{"APP[@RELEASE]", "one app's active release, or this one", &o->name, Completes::release, false}},
      .options = {{"--all", "", "every release on the node, not the active ones alone", &o->all}, timeout_option(o->timeout)},
      .action = [o](Console& console) { return verify(console, *o); },
  };
}

}  // namespace berth::cli
