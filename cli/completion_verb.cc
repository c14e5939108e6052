#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>

#include <fmt/core.h>
#include <sys/time.h>

#include "cli/api_client.h"
#include "cli/common.h"
#include "cli/completion.h"
#include "cli/json_view.h"
#include "cli/nodes.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "core/publish/build_store.h"
#include "core/publish/channels.h"
#include "core/publish/contents.h"
#include "core/trust/folder_remote.h"
#include "core/trust/repository.h"

namespace berth::cli {
namespace {

/// A shell waits for this while a person types: what is not known by then is not offered.
constexpr milliseconds kPatience{250};

/// Words and what they mean, by word.
using Offers = std::map<std::string, std::string>;

/// What there is to ask, and what is asked.
class Asking {
 public:
  Asking(const Console& console, const Wanted& wanted) : api_(console), wanted_(wanted) {}

  Offers answer() {
    switch (wanted_.completes) {
      case Completes::app: add_apps(""); break;
      case Completes::built_app: add_built_apps(); break;
      case Completes::release:
      case Completes::release_here:
      case Completes::release_of_environment: add_releases(); break;
      case Completes::release_id:
      case Completes::release_id_here: add_release_ids(wanted_.arguments.empty() ? "" : app_of(wanted_.arguments.front()), ""); break;
      case Completes::environment: add_environments(); break;
      case Completes::process:
      case Completes::app_or_process:
      case Completes::job:
      case Completes::instance: add_parts(); break;
      case Completes::channel: add_channels(); break;
      case Completes::webhook:
        for (const auto& webhook : list_of(status(), "webhooks")) offers_[text_of(webhook, "webhook")] = text_of(webhook, "state");
        break;
      case Completes::node:
        for (const std::string& name : known_nodes()) offers_[name];
        break;
      default: break;
    }
    return std::move(offers_);
  }

 private:
  static std::string app_of(const std::string& text) { return text.substr(0, text.find_first_of("@/")); }

  /// What berthd tells of itself; asked once.
  const json::value& status() {
    if (!status_) status_ = api_.get("/v1/status", kPatience).value_or(json::value());
    return *status_;
  }
  /// What the folder of --repo holds; null where it says none, or one that is not here.
  const trust::RepositoryState* repository() {
    if (wanted_.repository.empty() || !trust::is_folder(wanted_.repository)) return nullptr;
    if (!read_) read_ = trust::read_repository(folder()).value_or(trust::RepositoryState());
    return &*read_;
  }
  std::string folder() const { return wanted_.repository.starts_with("file://") ? wanted_.repository.substr(7) : wanted_.repository; }

  void add_apps(const std::string& after) {
    if (const auto* state = repository()) {
      for (const trust::Target& target : state->targets)
        if (const auto ref = publish::release_of(target.name)) offers_[ref->app + after];
      return;
    }
    for (const auto& app : list_of(status(), "apps")) {
      const std::string active = text_of(app, "active"), health = text_of(app, "health");
      offers_[text_of(app, "app") + after] = active.empty() ? health : active + ", " + health;
    }
  }
  void add_built_apps() {
    const auto store = publish::BuildStore::of_user();
    if (!store) return;
    const auto builds = store->list();
    if (!builds) return;
    for (const publish::Build& build : *builds) offers_[build.spec.app];
  }
  /// The ids of an app's releases that are on the node, or in its repository.
  void add_release_ids(const std::string& app, const std::string& before) {
    if (!is_name(app)) return;
    const auto answer = api_.get(app_target(app, "/releases"), kPatience);
    if (!answer) return;
    for (const auto& release : list_of(*answer, "releases")) {
      const bool here = truth_of(release, "on_node");
      if (!here && (wanted_.completes == Completes::release_here || wanted_.completes == Completes::release_id_here)) continue;
      std::string text = truth_of(release, "active") ? "active" : here ? "on the node" : "in the repository";
      if (!text_of(release, "rejected").empty()) text += ", rejected";
      offers_[before + text_of(release, "release")] = std::move(text);
    }
  }
  void add_releases() {
    const std::string& typed = wanted_.typed;
    if (const auto* state = repository()) {
      for (const trust::Target& target : state->targets)
        if (const auto ref = publish::release_of(target.name)) offers_[fmt::format("{}/{}@{}", ref->app, ref->environment, ref->release)];
      return;
    }
    if (const auto sign = typed.find('@'); sign != std::string::npos) return add_release_ids(app_of(typed), typed.substr(0, sign + 1));
    if (wanted_.completes == Completes::release_of_environment) {
      if (const std::string environment = text_of(status(), "environment"); !environment.empty()) add_apps("/" + environment + "@");
      return;
    }
    add_apps("@");
    if (wanted_.completes == Completes::release_here) return;
    const auto answer = api_.get("/v1/repository/apps", kPatience);
    if (!answer) return;
    for (const auto& app : list_of(*answer, "apps")) offers_.try_emplace(text_of(app, "app") + "@", "in the repository");
  }
  /// Apps, and what is below the one that is meant: by its whole name and a '/', or because no other begins so.
  void add_parts() {
    const bool apps_too = wanted_.completes == Completes::instance || wanted_.completes == Completes::app_or_process;
    if (apps_too) add_apps("");
    const std::string& typed = wanted_.typed;
    std::vector<const json::value*> meant;
    for (const auto& app : list_of(status(), "apps")) {
      const std::string name = text_of(app, "app");
      if (typed.find('/') == std::string::npos ? name.starts_with(typed) : name == app_of(typed)) meant.push_back(&app);
    }
    const bool below = meant.size() == 1 || !apps_too;
    for (const json::value* app : meant)
      if (below) add_parts_of(*app, text_of(*app, "app"));
  }
  void add_parts_of(const json::value& app, const std::string& name) {
    if (wanted_.completes != Completes::process && wanted_.completes != Completes::app_or_process)
      for (const auto& job : list_of(app, "jobs")) offers_[fmt::format("{}/{}", name, text_of(job, "process"))] = "job, " + text_of(job, "state");
    if (wanted_.completes == Completes::job) return;
    const char* after = wanted_.completes == Completes::process ? "=" : "";
    for (const auto& process : list_of(app, "processes"))
      offers_[fmt::format("{}/{}{}", name, text_of(process, "process"), after)] = fmt::format("{} of {} ready", number_of(process, "ready"), number_of(process, "wanted"));
    if (wanted_.completes != Completes::instance && wanted_.completes != Completes::app_or_process) return;
    for (const auto& instance : list_of(app, "instances")) {
      const std::string id = text_of(instance, "instance");
      offers_[id.substr(0, id.find('@'))] = text_of(instance, "phase");
    }
  }
  /// Those whose configuration is here, and the node's.
  void add_environments() {
    std::error_code unreadable;
    const std::filesystem::path folder = wanted_.environments.empty() ? "environments" : wanted_.environments;
    for (std::filesystem::directory_iterator at(folder, unreadable), end; !unreadable && at != end; at.increment(unreadable))
      if (std::error_code ignored; at->is_directory(ignored)) offers_[at->path().filename().string()];
    if (const std::string environment = text_of(status(), "environment"); !environment.empty()) offers_.try_emplace(environment, "the node's");
  }
  /// Those of the repository that is named, and those that this node follows.
  void add_channels() {
    if (repository() != nullptr) {
      const auto channels = publish::list_channels(folder(), "");
      if (!channels) return;
      for (const bundle::Channel& channel : *channels) {
        std::string& text = offers_[channel.channel];
        text += fmt::format("{}{}/{}@{}", text.empty() ? "" : ", ", channel.app, channel.environment, channel.release);
      }
      return;
    }
    for (const auto& follow : list_of(status(), "follows"))
      if (const std::string channel = text_of(follow, "channel"); !channel.empty()) offers_[channel] = fmt::format("{} follows it", text_of(follow, "app"));
  }

  ApiClient api_;
  const Wanted& wanted_;
  Offers offers_;
  std::optional<json::value> status_;
  std::optional<trust::RepositoryState> read_;
};

/// Whether a shell may be given it as it is: what a berthd says is not to be expanded.
bool is_plain(std::string_view word) {
  return std::ranges::all_of(word, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("._-@/=+:").find(c) != std::string_view::npos; });
}

/// Ends this program when the time is over: a name that is looked up, or a disk, keeps nobody waiting.
void end_in_time() {
  struct sigaction action {};
  action.sa_handler = [](int) { ::_exit(0); };
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 280'000}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

int complete(const Verb& root, Console& console, std::vector<std::string> words) {
  end_in_time();
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  const Wanted wanted = wanted_by(root, words);
  if (wanted.completes == Completes::folder || wanted.completes == Completes::file) console.line(wanted.completes == Completes::file ? ":files" : ":folders");
  if (!wanted.socket.empty()) console.socket = wanted.socket;
  const auto said = wanted.nodes.empty() && wanted.socket.empty() ? nodes_of_environment() : wanted.nodes;
  if (const auto nodes = find_nodes(said); nodes && !nodes->empty()) console.node = nodes->front();
  else if (!said.empty()) console.socket.clear();  // what is here is not what is meant
  Offers all = Asking(console, wanted).answer();
  for (const Offer& offer : wanted.offers) all.emplace(offer.word, offer.text);
  std::string text;
  for (const auto& [word, means] : all) {
    if (!word.starts_with(wanted.typed) || !is_plain(word)) continue;
    text += wanted.before + word + (means.empty() ? "" : "\t" + printable(means)) + "\n";
  }
  console.print(text);
  return 0;
}

Verb completion_verb() {
  auto shell = std::make_shared<std::string>();
  return {
      .name = "completion",
      .summary = "Print the completion script of a shell",
      .text = "It knows verbs, options, apps, releases, instances, nodes of nodes.toml, and with --repo what a repository's folder holds. What does not answer within 300 ms is not offered.",
      .examples = {"berth completion bash > /etc/bash_completion.d/berth", "berth completion zsh > ~/.zfunc/_berth",
                   "berth completion fish > ~/.config/fish/completions/berth.fish"},
      .arguments = {{"SHELL", "bash, zsh or fish", shell.get(), Completes::nothing, true, "bash zsh fish"}},
      .action = [shell](Console& console) -> Result<Exit> {
        BERTH_TRY(const auto script, completion_script(*shell));
        console.print(script);
        return Exit::ok;
      },
  };
}

}  // namespace berth::cli
