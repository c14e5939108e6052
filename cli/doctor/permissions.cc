#include <fmt/core.h>
#include <sys/stat.h>

#include "cli/doctor/checks.h"

namespace berth::cli::doctor {
namespace {

/// Who may not do what with a path.
enum class Rule {
  not_writable,  ///< for group and others
  group_writes,  ///< the group may write, others may not
  secret         ///< not even readable for them
};

struct Ruled {
  fs::path path;
  Rule rule;
  std::string what;    ///< "the database"
  std::string harm;    ///< what somebody could do
  bool must = false;   ///< it is an error where it is not there
  mode_t right = 0;    ///< a mode that is
};

mode_t forbidden(Rule rule) {
  switch (rule) {
    case Rule::not_writable: return 022;
    case Rule::group_writes: return 002;
    case Rule::secret: return 077;
  }
  return 0;
}

constexpr std::string_view kFile = "file:";

void add_secret(std::vector<Ruled>& all, const std::string& reference, const std::string& of) {
  if (reference.starts_with(kFile))
    all.push_back({reference.substr(kFile.size()), Rule::secret, "the secret of " + of, "whoever reads it is this node to that server", true, 0600});
}

void add_key(std::vector<Ruled>& all, const fs::path& file, const std::string& of) {
  if (!file.empty()) all.push_back({file, Rule::secret, "the key of " + of, "whoever reads it is this node to others", true, 0600});
}

std::vector<Ruled> ruled(const Subject& subject) {
  const store::Paths& paths = subject.paths;
  std::vector<Ruled> all{
      {paths.state, Rule::not_writable, "the folder of the state", "releases can be changed", false, 0711},
      {paths.database(), Rule::secret, "the database", "what should run can be read and changed", false, 0600},
      {paths.events(), Rule::not_writable, "the log of events", "the history can be changed", false, 0640},
      {paths.trust(), Rule::not_writable, "the folder of the repository's metadata", "what is believed can be changed", false, 0755},
      {paths.state / "apps", Rule::not_writable, "the folder of apps", "releases can be changed", false, 0711},
      {paths.staging(), Rule::not_writable, "the folder of staging", "a release can be changed before it is sealed", false, 0711},
      {paths.imports(), Rule::secret, "the folder of imports", "a release can be changed before it is deployed", false, 0700},
      {paths.run, Rule::not_writable, "the folder of sockets", "another program can pose as berthd", false, 0755},
      {paths.run / "keepers", Rule::secret, "the folder of keepers' sockets", "instances can be stopped and changed", false, 0700},
      {paths.run / "api.sock", Rule::group_writes, "the control socket", "anybody on this machine can deploy, and so be root", false, 0660},
      {paths.logs, Rule::group_writes, "the folder of logs", "logs can be changed", false, 02755},
      {config::drop_in_folder(subject.config_file), Rule::not_writable, "the folder of configurations", "whom this node believes can be changed", false, 0755},
  };
  for (const fs::path& file : subject.config_files) all.push_back({file, Rule::not_writable, "the configuration", "whom this node believes can be changed", false, 0644});
  if (!subject.config) return all;
  const config::Config& config = *subject.config;
  if (!config.repository.root.empty())
    all.push_back({config.repository.root, Rule::not_writable, "the root of trust", "whom this node believes can be changed", true, 0644});
  add_key(all, config.repository.key_file, "[repository]");
  add_secret(all, config.repository.token, "[repository]");
  add_secret(all, config.repository.password, "[repository]");
  if (config.remote) add_key(all, config.remote->files.key_file, "[api]");
  add_key(all, config.metrics_tls.key_file, "[metrics]");
  add_secret(all, config.metrics_token, "[metrics]");
  for (const config::Webhook& webhook : config.webhooks) {
    add_key(all, webhook.key_file, "[[webhook]] " + webhook.name);
    add_secret(all, webhook.secret, "[[webhook]] " + webhook.name);
  }
  for (const config::Sink& sink : config.sinks) {
    const SinkAccess access = access_of(sink);
    add_key(all, access.key_file, "[[sink]] " + sink.name);
    add_secret(all, access.token, "[[sink]] " + sink.name);
    add_secret(all, access.password, "[[sink]] " + sink.name);
  }
  return all;
}

void check_path(const Ruled& one, const Subject& subject, Findings& findings) {
  const auto say = [&](std::string seen, std::string why, std::string remedy) {
    findings.push_back({Level::error, "permissions", fmt::format("{}, {}, {}", one.path.string(), one.what, std::move(seen)), std::move(why), std::move(remedy)});
  };
  struct stat about{};
  if (::stat(one.path.c_str(), &about) != 0) {
    if (errno == ENOENT && one.must) say("is not there", "it is needed", "put it there, or take it out of " + subject.config_file.string());
    else if (errno != ENOENT)
      findings.push_back({Level::warning, "permissions", fail_errno(one.path.string()).error().message, "it was not looked at", "run berth doctor as root"});
    return;
  }
  const mode_t wrong = about.st_mode & forbidden(one.rule);
  if (wrong != 0) {
    const char* who = (wrong & 007) != 0 ? "everybody" : "its group";
    say(fmt::format("has mode {:04o}: {} may {} it", about.st_mode & 07777, who, (wrong & 022) != 0 ? "change" : "read"), one.harm, fmt::format("chmod {:o} {}", one.right, one.path.string()));
  }
  if (about.st_uid != subject.owner && about.st_uid != 0)
    say(fmt::format("belongs to uid {}", about.st_uid), one.harm, fmt::format("chown root {}", one.path.string()));
}

}  // namespace

Findings check_permissions(const Subject& subject) {
  Findings findings;
  const auto all = ruled(subject);
  for (const Ruled& one : all) check_path(one, subject, findings);
  if (findings.empty()) findings.push_back({Level::ok, "permissions", fmt::format("{} files and folders are for whom they should be", all.size())});
  return findings;
}

}  // namespace berth::cli::doctor
