#include "daemon/check.h"

#include <chrono>
#include <filesystem>
#include <system_error>

#include <fmt/chrono.h>
#include <fmt/core.h>

#include "core/io/tls_credentials.h"
#include "core/trust/root_file.h"
#include "daemon/api/caller.h"
#include "daemon/listener.h"
#include "daemon/metrics_token.h"
#include "daemon/secrets/reference.h"
#include "daemon/ship/kinds.h"
#include "daemon/ship/webhook/courier.h"
#include "daemon/store/store.h"

namespace berth {
namespace {

using Clock = std::chrono::system_clock;

constexpr std::string_view kInFile = "file:", kFileUrl = "file://";

bool is_in_file(const std::string& reference) { return reference.starts_with(kInFile); }
bool is_address(const std::string& text) { return text.starts_with("http://") || text.starts_with("https://"); }

std::string moment_text(Clock::time_point at) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(at)); }

/// Whether the lists of revoked certificates count, and for how long.
void check_revocations(const std::string& table, const config::TlsFiles& files, const io::Revocations& revocations, std::vector<std::string>& warnings) {
  const auto now = Clock::now();
  const std::string problem = revocations.problem(now);
  if (!problem.empty()) warnings.push_back(fmt::format("{}: {}", table, problem));
  if (const auto counts = revocations.counts(); counts && problem.empty() && is_ending(counts->first, counts->second, now))
    warnings.push_back(fmt::format("{} client_crl_file {} ends at {}, and then clients are refused: put a new one in its place, as 'berth ca crl' writes it", table, files.client_crl_file.string(), moment_text(counts->second)));
}

/// Whether the files of a listener fit each other, and whether anybody believes its certificate.
Result<void> check_tls(const std::string& table, const config::TlsFiles& files, std::vector<std::string>& warnings) {
  if (files.certificate_file.empty()) return {};
  const auto credentials = io::TlsCredentials::load({files.certificate_file, files.key_file, files.client_ca_file, files.client_crl_file}, [](io::TlsNews, const std::string&) {});
  if (!credentials) return pass(credentials.error(), table);
  const auto begins = (*credentials)->begins(), ends = (*credentials)->ends(), now = Clock::now();
  const auto warn = [&](const std::string& what) { warnings.push_back(fmt::format("{} certificate_file {} {}", table, files.certificate_file.string(), what)); };
  if (ends < now) warn(fmt::format("ended at {}, and no client believes this node by it: put a new one in its place", moment_text(ends)));
  else if (begins > now) warn(fmt::format("is not valid before {}: wait, or set the clock", moment_text(begins)));
  else if (is_ending(begins, ends, now)) warn(fmt::format("ends at {}: put a new one in its place", moment_text(ends)));
  if (const auto revocations = (*credentials)->revocations()) check_revocations(table, files, *revocations, warnings);
  return {};
}

/// Whether a secret that lies in a file is there. What else it may be, berthd alone is given.
Result<void> check_in_file(const char* key, const std::string& reference) {
  if (!is_in_file(reference)) return {};
  if (const auto value = secrets::resolve(reference, {}); !value) return fail(Errc::usage, fmt::format("{}: {}", key, config::unusable(value.error())));
  return {};
}

Result<void> check_repository_secrets(const config::Repository& repository) {
  BERTH_CHECK(check_in_file("[repository] token", repository.token));
  return check_in_file("[repository] password", repository.password);
}

Result<void> check_root(const config::Repository& repository) {
  if (repository.root.empty()) return {};
  if (const auto right = trust::check_root_file(repository.root); !right) return pass(right.error(), "[repository] root");
  return {};
}

/// A repository of this machine that is not there: it may be mounted later.
void check_repository_folder(const config::Repository& repository, std::vector<std::string>& warnings) {
  if (!repository.url.starts_with(kFileUrl)) return;
  const std::filesystem::path folder = repository.url.substr(kFileUrl.size());
  std::error_code failure;
  if (std::filesystem::is_directory(folder / "metadata", failure) || failure == std::errc::permission_denied) return;
  const bool is_there = std::filesystem::is_directory(folder, failure);
  warnings.push_back(is_there ? fmt::format("[repository] url: {} has no folder metadata, so there is no repository in it: make one there ('berth repo init'), or name another folder", folder.string())
                              : fmt::format("[repository] url: there is no folder {}, and no release is taken until there is: mount it, make a repository there ('berth repo init'), or name another one", folder.string()));
}

/// Whether a token that lies in a file is one. What else it may be, berthd alone is given.
Result<void> check_metrics_token(const std::string& reference) {
  if (!is_in_file(reference)) return {};
  auto value = secrets::resolve(reference, {});
  if (!value) return fail(Errc::usage, "[metrics] token: " + config::unusable(value.error()));
  if (const auto fits = check_token(value->view()); !fits) return pass(fits.error(), "[metrics] token");
  return {};
}

/// A webhook whose secrets are where they can be looked at: in the place of others are ones that are right.
Result<void> check_webhook(config::Webhook webhook) {
  const std::string name = webhook.name, at = webhook.at;
  if (!is_address(webhook.url) && !is_in_file(webhook.url)) webhook.url = "http://localhost/";
  if (!is_in_file(webhook.secret)) webhook.secret.clear();
  if (const auto made = ship::make_webhook_courier(std::move(webhook), {}); !made) return pass(made.error(), fmt::format("{}: [[webhook]] {}", at, name));
  return {};
}

Result<void> check_sinks(const config::Config& config) {
  io::Loop loop;
  const secrets::Sources sources{.commands = config.secret_commands};
  for (const config::Sink& sink : config.sinks) {
    const auto made = ship::make_sink({loop, sources}, sink);
    const auto fits = ship::check_sink(sink);
    if (!made || !fits) return pass(made ? fits.error() : made.error(), fmt::format("{}: [[sink]] {}", sink.at, sink.name));
  }
  return {};
}

Result<void> check_listeners(const config::Config& config) {
  if (!config.metrics || !config.remote) return {};
  const config::Listen &metrics = *config.metrics, &api = config.remote->listen;
  if (!exclude_each_other(metrics, api)) return {};
  return fail(Errc::usage, fmt::format("[api] listen and [metrics] listen are both at port {}, and only one of them can have it: give one another port", api.port));
}

/// The default group is made by packages; a node without it has none.
void check_groups(const config::Config& config, std::vector<std::string>& warnings) {
  if (!config.group.empty() && config.group != config::Config().group && !api::group_named(config.group))
    warnings.push_back(fmt::format("[api] group: there is no group '{0}', and nobody but root has all rights here: groupadd --system {0}", config.group));
  for (const config::ApiGroup& one : config.groups)
    if (!api::group_named(one.group)) warnings.push_back(fmt::format("[[api.local]] group: there is no group '{0}', and it counts for nothing until a reload finds one: groupadd --system {0}", one.group));
}

Result<void> check_all(const config::Config& config, std::vector<std::string>& warnings) {
  BERTH_CHECK(config::check_files(config));
  BERTH_CHECK(check_listeners(config));
  if (config.remote) BERTH_CHECK(check_tls("[api]", config.remote->files, warnings));
  BERTH_CHECK(check_tls("[metrics]", config.metrics_tls, warnings));
  BERTH_CHECK(check_metrics_token(config.metrics_token));
  BERTH_CHECK(check_repository_secrets(config.repository));
  BERTH_CHECK(check_root(config.repository));
  check_repository_folder(config.repository, warnings);
  for (const config::Webhook& webhook : config.webhooks) BERTH_CHECK(check_webhook(webhook));
  return check_sinks(config);
}

}  // namespace

Result<void> check_changed_secrets(const config::Config& running, const config::Config& said) {
  const config::Repository &before = running.repository, &now = said.repository;
  if (before.token != now.token || before.password != now.password) BERTH_CHECK(check_repository_secrets(now));
  return running.metrics_token == said.metrics_token ? Result<void>() : check_metrics_token(said.metrics_token);
}

std::string trouble_of_root(const config::Config& config) {
  std::error_code failure;
  if (config.repository.root.empty() || std::filesystem::exists(store::Paths{.state = config.state, .logs = {}, .run = {}}.trust() / "root.json", failure)) return {};
  const auto right = trust::check_root_file(config.repository.root);
  return right ? std::string() : fmt::format("[repository] root: {}; no release is taken from the repository", config::unusable(right.error()));
}

Result<std::vector<std::string>> check_config(const config::Config& config) {
  std::vector<std::string> warnings = config::open_secrets(config);
  if (const auto right = check_all(config, warnings); !right) return fail(Errc::usage, right.error().message);
  check_groups(config, warnings);
  return warnings;
}

}  // namespace berth
