#pragma once

#include <string_view>

namespace writ::http {

/// What a browser sees at /ui/ until there is a panel: no script, nothing from elsewhere.
inline constexpr std::string_view kUiPage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Writ plane</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:3em auto;padding:0 1em}code{background:#eee;padding:.1em .3em}</style>
<h1>Writ plane</h1>
<p>This plane is running. It is used from the command line:</p>
<p><code>writ pending --plane URL</code> shows what waits for an approval, <code>writ list --plane URL</code> the runs.</p>
<p><a href="/v1/health">health</a> <a href="/v1/ready">readiness</a></p>
</html>
)";

}  // namespace writ::http
