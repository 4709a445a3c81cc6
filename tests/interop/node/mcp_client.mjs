// Uses the tools of a remote server through @openai/agents: the job's `talks` are texts, each the user's; `approve`
// tells how requests for approval are decided.  Its results are what each talk's session came to know.
import { hostedMcpTool } from "@openai/agents";
import { RealtimeAgent, RealtimeSession } from "@openai/agents/realtime";
import { hold, job } from "./common.mjs";

async function connect(heard, onClose) {
  const tool = hostedMcpTool({
    serverLabel: job.tool.server_label,
    serverUrl: job.tool.server_url,
    headers: { Authorization: `Bearer ${job.tool.authorization}` }, // of `authorization` sessions are not told
    requireApproval: job.approve === null ? "never" : "always",
  });
  const agent = new RealtimeAgent({ name: "Helper", instructions: job.instructions, tools: [tool] });
  const session = new RealtimeSession(agent, {
    transport: "websocket",
    model: job.model,
    config: { outputModalities: ["text"] },
  });
  onClose(() => session.close());
  session.known = { calls: [], approvals: 0, tools: [] };
  session.on("transport_event", (event) => heard.take(event));
  session.on("error", (error) => heard.fail(new Error(`the SDK reports an error: ${JSON.stringify(error)}`)));
  session.on("mcp_tools_changed", (tools) => (session.known.tools = tools.map((tool) => tool.name)));
  session.on("mcp_tool_call_completed", (_context, _agent, call) => session.known.calls.push(call));
  session.on("tool_approval_requested", async (_context, _agent, request) => {
    session.known.approvals += 1;
    await (job.approve ? session.approve(request.approvalItem) : session.reject(request.approvalItem));
  });
  await session.connect({ apiKey: job.key, url: `${job.ws_url}/realtime?model=${job.model}` });
  await heard.until(() => heard.seen.includes("mcp_list_tools.completed"));
  return session;
}

function talk(said) {
  return async (session, heard) => {
    session.sendMessage(said);
    await heard.until(() => heard.ended.length === job.responses);
    // A further response would begin at once.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const written = heard.ended.flatMap((response) => response.output).filter((item) => item.type === "message");
    return {
      ...session.known,
      statuses: heard.ended.map((response) => response.status),
      told: written.map((item) => item.content.map((part) => part.text).join("")),
      history: session.history.map((item) => item.type),
    };
  };
}

await hold(Object.fromEntries(job.talks.map((said) => [said, talk(said)])), connect);
process.exit(0);
