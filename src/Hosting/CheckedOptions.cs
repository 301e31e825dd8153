using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace QueueScale.Hosting;

/// <summary>Options that are bound strictly and checked at start: a bad value or an unknown key stops the process with a line that names the key.</summary>
public static class CheckedOptions
{
    public static IServiceCollection AddCheckedOptions<T>(this IServiceCollection services, string section)
        where T : class
    {
        services.AddOptionsWithValidateOnStart<T>().BindConfiguration(section);
        return services.AddSingleton<IValidateOptions<T>>(provider => new Annotations<T>(provider.GetRequiredService<IConfiguration>().GetSection(section)));
    }

    private sealed class Annotations<T>(IConfigurationSection section) : IValidateOptions<T>
        where T : class
    {
        public ValidateOptionsResult Validate(string? name, T options)
        {
            var problems = Unknown(section, typeof(T)).Concat(Problems(options, section.Path)).ToArray();
            return problems.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(problems);
        }

        /// <summary>Keys that no option has, or not in this form: they would silently do nothing.</summary>
        private static IEnumerable<string> Unknown(IConfigurationSection section, Type options)
        {
            foreach (var key in section.GetChildren())
            {
                var option = options.GetProperty(key.Key, BindingFlags.IgnoreCase | BindingFlags.Instance | BindingFlags.Public);
                if (option is null)
                {
                    yield return $"{key.Path} is no setting. Remove it, or correct its name; section {section.Path} has {string.Join(", ", options.GetProperties().Select(known => known.Name))}.";
                }

                if (key.Value is { Length: > 0 } && option is not null && option.PropertyType != typeof(string) && option.PropertyType.IsAssignableTo(typeof(IEnumerable)))
                {
                    yield return $"{key.Path} is a list. Set its entries: {key.Path}:0, {key.Path}:1 and so on.";
                }

                foreach (var unknown in option is not null && IsNested(option) ? Unknown(key, option.PropertyType) : [])
                {
                    yield return unknown;
                }
            }
        }

        private static bool IsNested(PropertyInfo option) => option.PropertyType.IsClass && option.PropertyType.Assembly == typeof(T).Assembly;

        private static IEnumerable<string> Problems(object options, string section)
        {
            var found = new List<ValidationResult>();
            Validator.TryValidateObject(options, new ValidationContext(options), found, validateAllProperties: true);
            foreach (var problem in found)
            {
                var member = problem.MemberNames.FirstOrDefault();
                var property = member is null ? null : options.GetType().GetProperty(member);
                var value = property?.GetCustomAttribute<DataTypeAttribute>()?.DataType == DataType.Password ? "not a usable one" : $"'{property?.GetValue(options)}'";
                yield return $"{section}:{member} is {value}. {problem.ErrorMessage}";
            }

            foreach (var nested in options.GetType().GetProperties().Where(IsNested))
            {
                foreach (var problem in nested.GetValue(options) is { } value ? Problems(value, $"{section}:{nested.Name}") : [])
                {
                    yield return problem;
                }
            }
        }
    }
}
