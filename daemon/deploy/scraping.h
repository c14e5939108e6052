#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/deploy/node.h"

namespace berth::deploy {

/// How berthd reaches a port of an instance, by its name. `not_found`: it has none of that name.
Result<io::Endpoint> endpoint_of(const Node& node, const App& app, const bundle::Manifest& manifest, const InstanceId& id, const std::string& port);

/// What the instances of apps tell at their own metrics endpoints, for whoever asks berthd for all of it at once.
class Scraper {
 public:
  explicit Scraper(Node& node) : node_(node) {}

  /// Where instances that run tell of themselves.
  awaitable<std::vector<MetricsTarget>> targets();
  /// What they tell. Bounded in size and time; what went wrong with an instance is in its page.
  awaitable<std::vector<std::shared_ptr<AppPage>>> scrape();

 private:
  awaitable<void> scrape_one(std::shared_ptr<AppPage> page, milliseconds patience);

  Node& node_;
};

}  // namespace berth::deploy
