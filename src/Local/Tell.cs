namespace QueueScale.Local;

/// <summary>Hears of each step as it happens, for the person who waits.</summary>
/// <param name="what">The thing: <c>PostgreSQL</c>, <c>worker-1</c>.</param>
/// <param name="text">What has become of it: <c>ready in 0.9 s</c>.</param>
public delegate void Tell(string what, string text);
