#pragma once

#include <cstdint>
#include <optional>

#include <boost/json/object.hpp>

#include "daemon/deploy/operations.h"
#include "daemon/deploy/story.h"
#include "daemon/metrics/node_status.h"

namespace berth::api {

/// What `docs/api.md` shows of each. Text that came from apps and is no UTF-8 has U+FFFD in place of what is wrong with it.
boost::json::object to_json(const deploy::DeploymentStatus& deployment);
/// As far as it is known: without a manifest, only why there is none.
boost::json::object to_json(const deploy::DeploymentPlan& plan);
boost::json::object to_json(const deploy::Story& story);
boost::json::object to_json(const deploy::InstanceView& instance);
boost::json::object to_json(const follow::Status& follow);
boost::json::object to_json(const ship::SinkStatus& sink);
/// With what it follows: null where there is no `[[follow]]` of it.
boost::json::object to_json(const deploy::AppStatus& app, const std::vector<follow::Status>& follows);
boost::json::object to_json(const deploy::JobStatus& job);
boost::json::object to_json(const deploy::Releases& releases);
boost::json::object to_json(const store::Event& event);
boost::json::object to_json(const metrics::NodeStatus& node, const std::vector<deploy::AppStatus>& apps);

/// The node at a glance, for whoever may ask: without paths, names of people and texts.
boost::json::object summary_json(const metrics::NodeStatus& node, const std::vector<deploy::AppStatus>& apps);

/// The same, with what the status page shows besides: since when, releases on the node, how far a deployment is, how the last one ended, probes. `last_event` is the newest one's number.
boost::json::object page_json(const metrics::NodeStatus& node, const std::vector<deploy::AppStatus>& apps, std::int64_t last_event);
/// An event without what it tells in words and of people: number, at, kind, app, release, state.
boost::json::object page_json(const store::Event& event);

/// Lists, each in an object, so that it can grow. `next`: what `before` is to be for the deployments after these; nothing where there are none.
boost::json::object deployments_json(const std::vector<deploy::DeploymentStatus>& deployments, std::optional<std::int64_t> next);
boost::json::object events_json(const std::vector<store::Event>& events);
boost::json::object repository_apps_json(const std::map<std::string, std::vector<std::string>>& apps);
boost::json::object to_json(const store::Import& import);
boost::json::object verdicts_json(const deploy::Verified& verified);
boost::json::object collected_json(const deploy::Collected& collected, bool dry_run);

}  // namespace berth::api
