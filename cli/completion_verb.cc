#include <memory>
#include <set>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/completion.h"
#include "cli/json_view.h"
#include "cli/verbs.h"
#include "core/publish/build_store.h"

namespace berth::cli {
namespace {

/// A shell waits for this while a person types.
constexpr milliseconds kPatience{700};

/// The apps that a build was made of here; berthd does not know them.
std::set<std::string> built_apps() {
  std::set<std::string> apps;
  const auto store = publish::BuildStore::of_user();
  if (!store) return apps;
  const auto builds = store->list();
  if (!builds) return apps;
  for (const publish::Build& build : *builds) apps.insert(build.spec.app);
  return apps;
}

/// The ids of an app's releases that are on this node, or in its repository.
std::set<std::string> release_ids(const ApiClient& api, const std::string& app) {
  std::set<std::string> ids;
  if (!is_name(app)) return ids;
  if (const auto answer = api.get(app_target(app, "/releases"), kPatience))
    for (const auto& release : list_of(*answer, "releases")) ids.insert(text_of(release, "release"));
  return ids;
}

/// The words of `kind` that begin as typed. Anything amiss completes to nothing: a shell has no use for errors.
std::set<std::string> words_of(const ApiClient& api, const std::string& kind, const std::string& typed, const std::string& of) {
  if (kind == "built-app") return built_apps();
  if (kind == "release-id") return release_ids(api, of.substr(0, of.find_first_of("@/")));
  std::set<std::string> words;
  const std::string app = typed.substr(0, typed.find_first_of("@/"));
  if (kind == "release" && typed.find('@') != std::string::npos && is_name(app)) {
    if (const auto answer = api.get(app_target(app, "/releases"), kPatience))
      for (const auto& release : list_of(*answer, "releases")) words.insert(app + "@" + text_of(release, "release"));
    return words;
  }
  const auto status = api.get("/v1/status", kPatience);
  if (!status) return words;
  for (const auto& each : list_of(*status, "apps")) {
    const std::string name = text_of(each, "app");
    words.insert(kind == "release" ? name + "@" : name);
    if (name != app) continue;
    if (kind == "job" || kind == "instance")  // what 'logs' and 'stop' take, too
      for (const auto& job : list_of(each, "jobs")) words.insert(fmt::format("{}/{}", name, text_of(job, "process")));
    if (kind == "job") continue;
    for (const auto& process : list_of(each, "processes"))
      words.insert(fmt::format("{}/{}{}", name, text_of(process, "process"), kind == "process" ? "=" : ""));
    if (kind != "instance") continue;
    for (const auto& instance : list_of(each, "instances")) {
      const std::string id = text_of(instance, "instance");
      words.insert(id.substr(0, id.find('@')));
    }
  }
  if (kind == "release") {
    if (const auto answer = api.get("/v1/repository/apps", kPatience))
      for (const auto& each : list_of(*answer, "apps")) words.insert(text_of(each, "app") + "@");
  }
  return words;
}

}  // namespace

Verb completion_verb() {
  auto shell = std::make_shared<std::string>();
  return {
      .name = "completion",
      .summary = "Print the completion script of a shell",
      .examples = {"berth completion bash > /etc/bash_completion.d/berth", "berth completion zsh > ~/.zfunc/_berth",
                   "berth completion fish > ~/.config/fish/completions/berth.fish"},
      .arguments = {{"SHELL", "bash, zsh or fish", shell.get()}},
      .action = [shell](Console& console) -> Result<Exit> {
        Console described;
        BERTH_TRY(const auto script, completion_script(berth_program(described), *shell));
        console.print(script);
        return Exit::ok;
      },
  };
}

Verb complete_verb() {
  struct Options {
    std::string kind, typed, of;
  };
  auto o = std::make_shared<Options>();
  return {
      .name = "complete",
      .summary = "Print what a shell offers for a word",
      .arguments = {{"KIND", "app, built-app, release, release-id, process, job or instance", &o->kind}, {"TYPED", "what was typed of it", &o->typed, Completes::nothing, false},
                    {"OF", "whose release ids are meant", &o->of, Completes::nothing, false}},
      .action = [o](Console& console) -> Result<Exit> {
        for (const std::string& word : words_of(ApiClient(console), o->kind, o->typed, o->of))
          if (word.starts_with(o->typed)) console.line(word);
        return Exit::ok;
      },
      .hidden = true,
  };
}

}  // namespace berth::cli
