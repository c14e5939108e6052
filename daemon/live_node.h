#pragma once

#include <cstdint>
#include <map>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/loop.h"
#include "daemon/api/api.h"
#include "daemon/config/config.h"
#include "daemon/fetch/fetch.h"
#include "daemon/follow/follower.h"
#include "daemon/metrics/app_metrics.h"
#include "daemon/metrics_token.h"
#include "daemon/ship/shipping.h"
#include "daemon/store/store.h"

namespace berth {

using boost::asio::awaitable;

/// This node as its API shows it, out of the parts that berthd is made of. It owns none of them.
class LiveNode : public api::Node {
 public:
  struct Parts {
    io::Loop& loop;
    io::Pool& pool;
    store::Store& store;
    deploy::Operations& operations;
    fetch::Repository* repository = nullptr;  ///< or none
    follow::Follower& follower;
    ship::Shipping& shipping;
    ship::Shipping& webhooks;
    std::function<std::optional<metrics::NodeStatus::Listener>()> remote_api, metrics_listener;
    MetricsToken& token;
    std::function<awaitable<Result<api::Reloaded>>(deploy::Asked)> reload;
  };
  LiveNode(Parts parts, const config::Config& config, bool limits_enforced, std::vector<api::Group> groups);

  awaitable<metrics::NodeStatus> status() override;
  awaitable<Result<std::vector<store::Event>>> events(std::int64_t first, int most, std::string app) override;
  awaitable<bool> happened_since(std::int64_t number, std::string app) override;
  awaitable<std::int64_t> first_of_newest(int most, std::vector<std::string> apps) override;
  std::int64_t last_event() override { return parts_.store.last_event(); }
  awaitable<Result<std::shared_ptr<api::LogFeed>>> logs(logs::LogQuery query) override;
  awaitable<Result<void>> test_webhook(std::string name, deploy::Asked asked) override;
  awaitable<Result<api::Reloaded>> reload(deploy::Asked asked) override { return parts_.reload(std::move(asked)); }
  awaitable<void> event_after(std::int64_t number, std::chrono::milliseconds at_most) override;
  std::shared_ptr<void> place(const api::Caller& caller) override { return place_of(places_, caller); }
  std::shared_ptr<void> exec_place(const api::Caller& caller) override { return place_of(exec_places_, caller); }
  const api::PageAccess* page() const override { return page_ ? &*page_ : nullptr; }
  const api::PageAccess* status_access() const override { return status_access_ ? &*status_access_ : nullptr; }
  awaitable<Result<api::Token>> token() override { return parts_.token.get(); }
  std::shared_ptr<void> page_place() override;
  void reader_dropped() override { ++slow_readers_; }
  awaitable<std::string> write_aside(std::function<std::string()> write) override;
  awaitable<std::string> metrics() override;
  awaitable<std::shared_ptr<const std::string>> app_metrics() override;
  awaitable<bool> until_ready(std::chrono::milliseconds at_most) override;
  awaitable<api::Caller> caller(io::Peer peer) override;

  /// Wakes whoever waits until the deployer is ready.
  void now_ready() { ready_.notify(); }
  /// How the last reload went; nothing: well.
  void reloaded(std::optional<metrics::NodeStatus::Refused> refused) { config_refused_ = std::move(refused); }
  /// Who may do what with a certificate.
  void set_clients(std::vector<api::Client> clients) { clients_ = std::move(clients); }
  /// Who may do what at the control socket.
  void set_groups(std::vector<api::Group> groups) { groups_ = std::move(groups); }
  const std::vector<api::Group>& groups() const { return groups_; }

 private:
  using Places = std::map<std::string, int>;  ///< that are taken, by who has them
  static std::shared_ptr<void> place_of(const std::shared_ptr<Places>& places, const api::Caller& caller);

  Parts parts_;
  std::shared_ptr<Places> places_ = std::make_shared<Places>();       ///< of those who read events and logs
  std::shared_ptr<Places> exec_places_ = std::make_shared<Places>();  ///< of those whose one-off commands go by connections of the API
  std::shared_ptr<io::Event> told_;  ///< there is a new event
  std::shared_ptr<int> page_places_ = std::make_shared<int>(0);  ///< that are taken by status pages that are open
  std::optional<api::PageAccess> page_;  ///< nothing: there is no status page
  std::optional<api::PageAccess> status_access_;  ///< nothing: whoever asks has shown something
  std::uint64_t slow_readers_ = 0;  ///< that were dropped
  std::unique_ptr<io::Pool> reading_;  ///< of logs, which may take long; made when the first are asked for
  io::Event ready_;
  std::shared_ptr<bool> scraping_ = std::make_shared<bool>(false);  ///< somebody asks the apps for their metrics
  std::shared_ptr<const std::string> scraped_;  ///< what came of that last
  std::uint64_t scrapes_ = 0;  ///< that came to an end
  io::Event scraping_ended_;
  std::shared_ptr<metrics::LeftOutReport> left_out_ = std::make_shared<metrics::LeftOutReport>();  ///< of one scrape at a time
  metrics::NodeStatus fixed_;  ///< what does not change while berthd runs
  std::optional<metrics::NodeStatus::Refused> config_refused_;
  std::vector<api::Group> groups_;
  std::vector<api::Client> clients_;
  api::Caller root_;
};

}  // namespace berth
