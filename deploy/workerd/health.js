// The question of health.capnp.

export default {
  async test(_, { SERVER }) {
    const { status } = await SERVER.fetch("http://localhost/healthz?probe=ready");
    if (status !== 200) throw new Error(`/healthz: status ${status}`);
  },
};
