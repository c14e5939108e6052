#include "daemon/deploy/scraping.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/io/http.h"
#include "daemon/deploy/app_facts.h"

namespace berth::deploy {
namespace {

using namespace std::chrono_literals;
using io::Steady;

constexpr milliseconds kPagePatience = 2s;
constexpr milliseconds kPagesPatience = 8s;         ///< with all of them: whoever asks has 10 s, as Prometheus
constexpr std::size_t kMostPage = 1u << 20;         ///< bytes of one instance's
constexpr std::size_t kMostPages = 32u << 20;       ///< of all
constexpr std::size_t kPagesAtOnce = 16;

}  // namespace

Result<io::Endpoint> endpoint_of(const Node& node, const App& app, const bundle::Manifest& manifest, const InstanceId& id, const std::string& port) {
  const auto member = std::ranges::find(app.members, id, &Member::id);
  if (port.empty() || member == app.members.end()) return fail(Errc::not_found, "it has no such port");
  const auto named = member->row.named_ports.find(port);
  if (named != member->row.named_ports.end()) return io::Endpoint{.address = "127.0.0.1", .port = named->second};
  const auto pub = public_port(manifest, id.process);
  if (!pub) return fail(Errc::not_found, "it has no such port");
  return node.router.probe_endpoint(*pub, {.id = id, .private_port = member->row.port});
}

awaitable<std::vector<MetricsTarget>> Scraper::targets() {
  std::vector<AppPtr> apps;
  for (const auto& [name, app] : node_.apps) apps.push_back(app);
  std::vector<MetricsTarget> targets;
  for (const AppPtr& app : apps) {
    std::vector<InstanceId> ids;
    for (const Member& member : app->members) ids.push_back(member.id());
    for (const InstanceId& id : ids) {
      const auto status = node_.supervisor.status(id);
      if (!status || status->pid == 0) continue;
      const auto manifest = co_await node_.manifest_of(app, id.release);
      if (!manifest) continue;
      const auto process = (*manifest)->spec.processes.find(id.process);
      if (process == (*manifest)->spec.processes.end() || !process->second.metrics) continue;
      auto to = endpoint_of(node_, *app, **manifest, id, spec::metrics_port(process->second));
      if (to) targets.push_back({.id = id, .path = process->second.metrics->path, .to = std::move(*to)});
    }
  }
  co_return targets;
}

awaitable<void> Scraper::scrape_one(std::shared_ptr<AppPage> page, milliseconds patience) {
  io::HttpRequest request{.target = page->target.path, .headers = {{"accept", "text/plain; version=0.0.4"}}, .deadline = patience, .most_body = kMostPage};
  request.to = page->target.to;
  const auto began = Steady::now();
  auto answer = co_await io::http_ask(std::move(request));
  page->took = Steady::now() - began;
  if (!answer) page->error = answer.error().message;
  else if (answer->status != 200) page->error = fmt::format("{} from {}", answer->status, page->target.path);
  else page->body = std::move(answer->body);
}

awaitable<std::vector<std::shared_ptr<AppPage>>> Scraper::scrape() {
  const auto end_of_all = Steady::now() + kPagesPatience;
  const auto targets = co_await this->targets();
  std::vector<std::shared_ptr<AppPage>> pages;
  std::size_t bytes = 0;
  for (std::size_t begin = 0; begin < targets.size() && !node_.closed; begin += kPagesAtOnce) {
    std::vector<awaitable<void>> asks;
    const milliseconds patience = std::min(kPagePatience, std::chrono::duration_cast<milliseconds>(end_of_all - Steady::now()));
    const std::size_t end = std::min(begin + kPagesAtOnce, targets.size());
    for (std::size_t i = begin; i < end; ++i) {
      const auto page = std::make_shared<AppPage>();
      page->target = targets[i];
      pages.push_back(page);
      if (bytes > kMostPages) page->error = "the pages of the apps have more than 32 MiB together";
      else if (patience <= 0ms) page->error = "no time was left for it";
      else asks.push_back(scrape_one(page, patience));
    }
    co_await node_.at_once(std::move(asks));
    for (std::size_t i = begin; i < end; ++i) bytes += pages[i]->body.size();
  }
  co_return pages;
}

}  // namespace berth::deploy
