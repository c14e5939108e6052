#pragma once

#include <string>

#include <boost/json/value.hpp>

namespace berth::cli {

/// What becomes of it that `app` was brought to `release` by hand, or removed where `release` is empty, while it follows a channel or a release: "web follows stable
/// (v3): the next poll goes back to it; 'berth pin web@v2' keeps this one". `status` is berthd's whole answer. `before`: the app that was removed, whose rejections
/// stay; null: they went with it. Empty where nothing becomes of it.
std::string follow_note(const boost::json::value& status, const std::string& app, const std::string& release, const boost::json::value* before = nullptr);

}  // namespace berth::cli
