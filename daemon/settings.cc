#include "daemon/settings.h"

#include <algorithm>
#include <thread>

#include <spdlog/spdlog.h>

#include "core/files/files.h"
#include "core/io/proxy.h"
#include "daemon/build_time.h"
#include "daemon/deploy/instance_plan.h"
#include "daemon/fetch/sealed_release.h"
#include "daemon/host/memory.h"
#include "daemon/secrets/authorization.h"

namespace berth {
namespace {

/// A process that starts is busy for a while and waits for a while.
int default_start_at_once() { return std::max(4, 2 * static_cast<int>(std::thread::hardware_concurrency())); }

/// What is followed, unless the node has another release of that id: then neither is taken, and it is told.
Result<fetch::Wanted> poll(fetch::Repository& repository, store::Store& store, fetch::Followed& followed, std::stop_token stop) {
  BERTH_TRY(auto wanted, repository.follow(followed, std::move(stop)));
  BERTH_TRY(const auto slot, store.slot(followed.app, wanted.release));
  if (!slot || followed.manifest_sha256.empty()) return wanted;
  BERTH_CHECK(fetch::check_same_release({.app = followed.app, .environment = followed.environment, .release = wanted.release}, slot->manifest_sha256,
                                        followed.manifest_sha256));
  return wanted;
}

}  // namespace

store::Paths paths_of(const config::Config& config) { return {.state = config.state, .logs = config.logs, .run = config.run}; }

std::unique_ptr<fetch::Repository> repository_of(const config::Config& config) {
  const config::Repository& said = config.repository;
  if (said.url.empty() && said.root.empty()) return nullptr;
  fetch::RepositoryOptions options{.url = said.url, .root = said.root, .trust_directory = paths_of(config).trust(), .partial_directory = paths_of(config).partial(), .build_time = build_time()};
  options.tls = {.ca_file = said.ca_file, .certificate_file = said.certificate_file, .key_file = said.key_file};
  options.mirrors = said.mirrors;
  options.authorization = secrets::authorization_of(said.token, said.user, said.password, {.commands = config.secret_commands});
  options.proxy = said.proxy ? io::ProxyOptions{.for_http = *said.proxy, .for_https = *said.proxy} : io::proxies_of_environment();
  options.bytes_per_second = said.rate_limit;
  options.note = [](const std::string& what) { spdlog::warn("repository: {}", what); };
  return std::make_unique<fetch::Repository>(std::move(options));
}

deploy::DeployerOptions deployer_options(const config::Config& config, const host::Programs& programs) {
  const host::WorkerUser worker = host::worker_user();
  deploy::DeployerOptions options;
  options.node = {.name = config.node, .environment = config.environment, .labels = config.labels, .paths = paths_of(config)};
  options.node.secret_sources.commands = config.secret_commands;
  options.node.policy = {.users = config.policy.users, .groups = config.policy.groups, .capabilities = config.policy.capabilities, .secret_folders = config.policy.secret_folders};
  if (const auto boot = files::read("/proc/sys/kernel/random/boot_id", 64)) options.node.boot = *boot;
  options.node.run_in_memory = host::is_in_memory(config.run);
  options.stage.worker_program = programs.unpack;
  options.stage.worker_uid = worker.uid;
  options.stage.worker_gid = worker.gid;
  options.stage.reserve_bytes = config.reserve;
  options.keep = {.releases = config.keep_releases, .age = config.keep_age, .bytes = config.keep_bytes};
  options.verify_every = config.verify_every;
  options.start_at_once = config.start_at_once > 0 ? config.start_at_once : default_start_at_once();
  return options;
}

void learn_secrets(store::Store& store, const deploy::NodeFacts& node) {
  std::vector<InstanceId> known;
  for (const auto& app : store.apps().value_or(std::vector<store::AppRow>()))
    for (const auto& row : store.instances(app.app).value_or(std::vector<store::InstanceRow>())) known.push_back({row.app, row.process, row.number, row.release});
  deploy::learn_secrets(node, known);
}

follow::Source source_of(fetch::Repository* repository, store::Store& store) {
  if (repository == nullptr) return {};
  return {.poll = [repository, &store](fetch::Followed& followed, std::stop_token stop) { return poll(*repository, store, followed, std::move(stop)); },
          .remembered = [repository](const fetch::Followed& followed) { return repository->remembered(followed); }};
}

}  // namespace berth
